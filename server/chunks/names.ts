/** The name of its place in the log: what it has seen of the log is in chunks. */
export const CHUNKS = "chunks";
