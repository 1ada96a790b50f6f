/** One section of the document, measured and written. */
export type Section = (options: { worlds: number; clients: number; seed: number }) => Promise<string[]>;
