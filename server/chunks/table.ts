import type { Filled } from "../db/database.ts";

interface BlockColumns {
  workspace_id: string;
  window_start: bigint;
  bucket: bigint;
  first_series: bigint;
  last_series: bigint;
  start_ms: bigint;
  end_ms: bigint;
  points: bigint;
  body: Buffer;
}

export interface ChunkTables {
  /** Of windows that are still written to. */
  fresh_chunks: BlockColumns & {
    level: number;
    chunk_id: Filled<bigint>;
    made_at: Filled<Date>;
  };
  chunks: BlockColumns & { chunk_id: Filled<bigint> };
  rollups_5m: BlockColumns & { chunk_id: Filled<bigint> };
  rollups_1h: BlockColumns & { chunk_id: Filled<bigint> };
}
