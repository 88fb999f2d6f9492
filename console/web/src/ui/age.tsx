import { type Duration, durationMs, type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { useEffect, useState } from "react";
import { serverNow } from "../client/clock.ts";
import { ageText, nextChange, spanText } from "../words/ages.ts";
import { exactText, useTimeZone } from "../words/moments.ts";
import { Tip } from "./tip.tsx";

/** The server's time, read again whenever the words for an age of `since` change, and every minute. */
export function useTicking(since: number): number {
  const [now, setNow] = useState(serverNow);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each reading sets the clock for the next
  useEffect(() => {
    const ms = nextChange(serverNow() - since);
    // Of what changes once a day, a minute is exact enough for a sleeping machine.
    const timer = setTimeout(() => setNow(serverNow()), Math.min(ms, 60_000));
    return () => clearTimeout(timer);
  }, [since, now]);
  return Math.max(now, serverNow());
}

/** "12 minutes ago", which ticks; the exact time for whoever points at it. */
export function Age({ time, never = "never" }: { time: Timestamp | undefined; never?: string }) {
  return time ? <AgeOf ms={timestampMs(time)} /> : <span className="soft">{never}</span>;
}

export function AgeOf({ ms }: { ms: number }) {
  const now = useTicking(ms);
  useTimeZone();
  return (
    <Tip text={() => exactText(ms)}>
      <time className="nowrap" dateTime={new Date(ms).toISOString()}>
        {ageText(now - ms)}
      </time>
    </Tip>
  );
}

/** The same for what the server tells as an age; it is asked for again now and then. */
export function Ago({ age, never = "never" }: { age: Duration | undefined; never?: string }) {
  if (!age) return <span className="soft">{never}</span>;
  return <AgeOf ms={Math.floor((serverNow() - durationMs(age)) / 1000) * 1000} />;
}

/** What is left until a time: "59 minutes"; undefined once it has passed. */
export function useTimeLeft(time: Timestamp | undefined): string | undefined {
  const end = time ? timestampMs(time) : 0;
  const now = useTicking(end);
  return end > now ? spanText(end - now) : undefined;
}
