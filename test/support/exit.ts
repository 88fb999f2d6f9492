/** Loaded by AVA into each test file's process: one that never ends would keep the others waiting. */
import { exitWhenDone } from "../../lib/exit.ts";

exitWhenDone();
