import type { WorkStatus } from "./work.ts";

const number = (value: number) => value.toLocaleString("en");

/** What `lumetry collector status` says of work; nothing as long as there never was any. */
export function workRows(status: WorkStatus | undefined): [string, string][] {
  if (!status) return [];
  const { polls, tests, deliveries, outageRuns, reports } = status;
  const hadWork =
    status.sources + polls.started + tests.done + deliveries.done + outageRuns.waiting > 0;
  if (!hadWork) return [];
  const late =
    polls.latenessMs < 1_000 ? "" : `, up to ${Math.round(polls.latenessMs / 1_000)} s late`;
  const lanes = [
    `${polls.running} of ${polls.slots} slots, ${polls.slow} slow, ${number(polls.waiting)} waiting${late}`,
    `tests ${tests.running} of ${tests.slots}`,
    `deliveries ${deliveries.running} of ${deliveries.slots}`,
  ];
  const kept =
    outageRuns.waiting + outageRuns.lost === 0
      ? []
      : [`${number(outageRuns.waiting)} of the outage to be told, ${number(outageRuns.lost)} lost`];
  return [
    [
      "sources",
      `${number(status.sources)}${status.isInOutage ? ", polled without the server" : ""}`,
    ],
    ["lanes", lanes.join("; ")],
    [
      "polls",
      [
        `${number(polls.started)} started, ${number(polls.skipped)} skipped`,
        `${number(reports.accepted)} reports accepted, ${number(reports.stale)} too late`,
        ...kept,
      ].join("; "),
    ],
  ];
}
