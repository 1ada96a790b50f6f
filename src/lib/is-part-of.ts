/** Whether `whole` already has every value of `part`. */
export const isPartOf = <Whole extends object>(part: Partial<Whole>, whole: Whole): boolean =>
  Object.entries(part).every(([key, value]) => whole[key as keyof Whole] === value);
