/** Loaded before a program: profiles it from one SIGUSR2 to the next, and leaves what it found. */
import { writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import path from "node:path";

const session = new Session();
session.connect();
session.post("Profiler.enable");

let isRunning = false;
process.on("SIGUSR2", () => {
  isRunning = !isRunning;
  if (isRunning) {
    session.post("Profiler.start");
    return;
  }
  session.post("Profiler.stop", (error, result) => {
    const file = path.join(process.env.BENCH_PROFILES ?? ".", `${process.pid}.cpuprofile`);
    if (!error) writeFileSync(file, JSON.stringify(result.profile));
  });
});
