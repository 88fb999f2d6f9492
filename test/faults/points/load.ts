import { setTimeout as wait } from "node:timers/promises";
import { type Client, createClient } from "@connectrpc/connect";
import { MetricsService } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { IngestionKeyService } from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { seriesOf } from "../../support/points.ts";
import type { AnyServer } from "../../support/server.ts";

export const METRIC = "test.storm";
const PATIENCE_MS = 5_000;

/** One point as it was sent and as it should be found. */
export interface SentPoint {
  series: string;
  ms: number;
  value: number;
}

/** A batch by its number: what it holds follows from that. Two series, the first with two points. */
export function pointsOfBatch(startMs: number, number: number): SentPoint[] {
  const ms = startMs + number * 10;
  return [
    { series: "a", ms, value: number * 10 },
    { series: "a", ms: ms + 1, value: number * 10 + 1 },
    { series: "b", ms, value: number * 10 + 2 },
  ];
}

/** What one sender did, kept outside of everything that is killed. */
export interface SenderLedger {
  name: string;
  keyId: string;
  startMs: number;
  /** Numbers of batches that were answered for. */
  acknowledged: Set<number>;
  /** Given up without an answer: they may be stored, whole or not at all. */
  doubtful: Set<number>;
  attempts: number;
}

/** "renames" sends a batch once more under another id when its answer is lost. */
export type Mistake = "renames" | undefined;

/**
 * Senders that write one batch after the other, each by whichever server chance has it, again and
 * again until it is answered; now and then they give one up.
 */
export class PointLoad {
  readonly senders: SenderLedger[];
  #running: Promise<void>[];
  #isOver = false;
  readonly #random: () => number;
  readonly #mistake: Mistake;

  private constructor(
    senders: SenderLedger[],
    clients: Map<SenderLedger, Client<typeof MetricsService>[]>,
    random: () => number,
    mistake: Mistake,
  ) {
    this.senders = senders;
    this.#random = random;
    this.#mistake = mistake;
    this.#running = senders.map((sender) => this.#send(sender, clients.get(sender) ?? []));
  }

  static async start(
    servers: readonly AnyServer[],
    ownerToken: string,
    options: { senders: number; startMs: number; random: () => number; mistake?: Mistake },
  ): Promise<PointLoad> {
    const { senders: count, startMs, random, mistake } = options;
    const [first] = servers as [AnyServer];
    const keys = first.client(IngestionKeyService, ownerToken);
    const senders: SenderLedger[] = [];
    const clients = new Map<SenderLedger, Client<typeof MetricsService>[]>();
    for (let number = 0; number < count; number += 1) {
      const name = `sender-${startMs}-${number}`;
      const { ingestionKey, secret } = await keys.createIngestionKey({
        displayName: name,
        labels: { sender: name },
      });
      const keyId = ingestionKey?.ingestionKeyId ?? "";
      const acknowledged = new Set<number>();
      const doubtful = new Set<number>();
      const sender = { name, keyId, startMs, acknowledged, doubtful, attempts: 0 };
      senders.push(sender);
      const through = (server: AnyServer) =>
        createClient(MetricsService, server.transport({ token: secret }));
      clients.set(sender, servers.map(through));
    }
    return new PointLoad(senders, clients, random, mistake);
  }

  get acknowledged(): number {
    return this.senders.reduce((sum, sender) => sum + sender.acknowledged.size, 0);
  }

  get doubtful(): number {
    return this.senders.reduce((sum, sender) => sum + sender.doubtful.size, 0);
  }

  /** Every sender ends the batch that it is at. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  async #send(sender: SenderLedger, clients: Client<typeof MetricsService>[]): Promise<void> {
    const random = this.#random;
    for (let number = 0; !this.#isOver; number += 1) {
      const points = pointsOfBatch(sender.startMs, number);
      const series = ["a", "b"].map((name) =>
        seriesOf(
          METRIC,
          { part: name },
          ...points
            .filter((point) => point.series === name)
            .map(({ ms, value }): [number, number] => [ms, value]),
        ),
      );
      const givesUpAfter = random() < 0.1 ? 1 : Infinity;
      for (let attempt = 1; ; attempt += 1) {
        sender.attempts += 1;
        const again = this.#mistake === "renames" && attempt > 1 ? `-${attempt}` : "";
        const client = clients[Math.floor(random() * clients.length)];
        const batchId = `${sender.name}-${number}${again}`;
        const accepted = await client
          ?.writeMetrics({ batchId, series }, { timeoutMs: PATIENCE_MS })
          .then(({ acceptedPoints, refusedPoints }) => {
            const isWhole = acceptedPoints === BigInt(points.length) && refusedPoints === 0n;
            if (!isWhole) throw new Error(`${batchId}: an answer that is none to it`);
            return true;
          })
          .catch((error: Error) => {
            if (/none to it/.test(error.message)) throw error;
            return false;
          });
        if (accepted) sender.acknowledged.add(number);
        else if (attempt >= givesUpAfter) sender.doubtful.add(number);
        else {
          await wait(20 + random() * 80);
          continue;
        }
        break;
      }
    }
  }
}
