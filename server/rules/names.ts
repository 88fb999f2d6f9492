/** The reader of the log that evaluates rules. */
export const RULES = "rules";
