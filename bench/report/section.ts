/** One section of the document, measured and written. */
export type Section = (options: { worlds: number; clients: number; others: number; seed: number }) => Promise<string[]>;
