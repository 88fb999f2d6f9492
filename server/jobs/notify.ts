import { systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Database } from "../db/database.ts";
import { lockIncidents } from "../incidents/store.ts";
import {
  findDueGroups,
  findDueWorkspaces,
  LOOK_EVERY_MS,
  nextDueInMs,
  putOffGroup,
} from "../notifications/groups.ts";
import { tellGroups } from "../notifications/tell.ts";
import { NOTIFY_TOPIC, type Signals } from "../work/signals.ts";

/** What is due and is not told may be in the hands of another server. */
const LEAST_WAIT_MS = 100;
const MOST_AT_ONCE = 500;
/** A group that cannot be told is tried again after so long. */
const PUT_OFF_MS = 60_000;
/** From a round in which something failed to the next one, whoever wakes it. */
const AFTER_FAILURE_MS = 1_000;

/**
 * Tells what had to wait: for more alerts of a group, for the end of a silence or of an interval. On any number of
 * servers at once; each group is told under the lock of its workspace, by whoever comes first.
 */
export function startNotifier(parts: {
  db: Database;
  signals: Signals;
  log: Log;
}): AsyncDisposable {
  const { db, signals, log } = parts;
  const stopping = new AbortController();
  const listener = signals.listen([NOTIFY_TOPIC]);

  /** Tells what is due of a workspace, or of one group of it. */
  const tellDue = (workspaceId: string, only?: string) =>
    db.transaction().execute(async (transaction) => {
      await lockIncidents(transaction, workspaceId);
      // Looked for under the lock: whatever another server has told meanwhile is not due any more.
      const due = await findDueGroups(transaction, workspaceId, MOST_AT_ONCE);
      const wanted = only === undefined ? due : due.filter((groupId) => groupId === only);
      await tellGroups(transaction, workspaceId, wanted);
    });

  /** A group that cannot be told keeps no other waiting; it has its turn again later. */
  const tellEach = async (workspaceId: string) => {
    for (const groupId of await findDueGroups(db, workspaceId, MOST_AT_ONCE)) {
      if (stopping.signal.aborted) return;
      try {
        await tellDue(workspaceId, groupId);
      } catch (error) {
        log.error(
          { err: error, workspaceId, groupId },
          "a group of alerts could not be told; tried again in a minute",
        );
        await putOffGroup(db, workspaceId, groupId, PUT_OFF_MS);
      }
    }
  };

  const run = async () => {
    while (!stopping.signal.aborted) {
      let waitMs = LOOK_EVERY_MS;
      let isFailing = false;
      try {
        for (const workspaceId of await findDueWorkspaces(db)) {
          if (stopping.signal.aborted) break;
          // What is wrong in one workspace keeps no other waiting.
          try {
            await tellDue(workspaceId);
          } catch (error) {
            isFailing = true;
            log.warn(
              { err: error, workspaceId },
              "notifications could not be told; told one by one",
            );
            await tellEach(workspaceId).catch((error) =>
              log.error(
                { err: error, workspaceId },
                "notifications could not be told; tried again",
              ),
            );
          }
        }
        const nextMs = (await nextDueInMs(db)) ?? LOOK_EVERY_MS;
        waitMs = Math.min(Math.max(nextMs, LEAST_WAIT_MS), LOOK_EVERY_MS);
      } catch (error) {
        log.warn({ err: error }, "notifications could not be looked at; tried again");
        isFailing = true;
      }
      if (isFailing) await systemClock.sleep(AFTER_FAILURE_MS, stopping.signal);
      else await listener.next(waitMs, stopping.signal);
    }
  };
  const running = run();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
      listener[Symbol.dispose]();
    },
  };
}
