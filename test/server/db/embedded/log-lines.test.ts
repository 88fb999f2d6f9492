import test from "ava";
import { silentLog } from "../../../../lib/log.ts";
import { LogLines } from "../../../../server/db/embedded/log-lines.ts";

function listen() {
  const heard: string[] = [];
  const at = (level: string) => (_: object, message: string) =>
    void heard.push(`${level} ${message}`);
  const log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  return { lines: new LogLines(log), heard };
}

test("what concerns the whole server is told, what its client was told is not", (t) => {
  const { lines, heard } = listen();
  lines.write("00000 LOG:  database system is ready to accept connections\n");
  lines.write("23505 ERROR:  duplicate key value violates unique constraint\n23505 DETAIL:  Key\n");
  lines.write("57P03 FATAL:  the database system is starting up\n");
  lines.write(
    "01000 WARNING:  there is already a transaction\n\tin progress\n00000 HINT:  End it.\n",
  );
  lines.write("00000 LOG:  client backend (PID 7) was terminated by signal 9: Killed\n");
  lines.write("53100 PANIC:  could not write to file: No space left on device\n");
  lines.write("postgres: error while loading shared libraries\n");
  t.deepEqual(heard, [
    "debug LOG:  database system is ready to accept connections",
    "debug ERROR:  duplicate key value violates unique constraint",
    "debug DETAIL:  Key",
    "debug FATAL:  the database system is starting up",
    "warn WARNING:  there is already a transaction",
    "warn \tin progress",
    "warn HINT:  End it.",
    "warn LOG:  client backend (PID 7) was terminated by signal 9: Killed",
    "error PANIC:  could not write to file: No space left on device",
    "warn postgres: error while loading shared libraries",
  ]);
});

test("lines may come in any pieces, and only the last ones are kept", (t) => {
  const { lines, heard } = listen();
  for (const piece of ["0000", "0 LOG:  o", "ne\n00000 LOG:  two\n00000 LOG:  th"])
    lines.write(piece);
  t.deepEqual(heard, ["debug LOG:  one", "debug LOG:  two"]);
  t.is(lines.tail, "LOG:  one\nLOG:  two\n00000 LOG:  th");
  const many = new LogLines(silentLog);
  for (let line = 0; line < 1000; line += 1) many.write(`00000 LOG:  ${line}\n`);
  t.is(many.tail.split("\n").length, 20);
  many.write("x".repeat(1 << 20));
  t.true(many.tail.length < 20_000);
});
