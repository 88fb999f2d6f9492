import test from "ava";
import { ClockOffset } from "../../edge/clock-offset.ts";

/** A machine whose wall clock can be set, unlike the time since its boot. */
function makeMachine(wall: number) {
  let sinceBoot = 0;
  let asleep = 0;
  let ahead = wall;
  return {
    now: () => sinceBoot + ahead,
    monotonic: () => sinceBoot - asleep,
    sinceBoot: () => sinceBoot,
    sleep: async () => {},
    pass(ms: number) {
      sinceBoot += ms;
    },
    suspend(ms: number) {
      sinceBoot += ms;
      asleep += ms;
    },
    jump(ms: number) {
      ahead += ms;
    },
  };
}

function measure(offset: ClockOffset, machine: ReturnType<typeof makeMachine>, serverTime: number) {
  const sentAt = machine.sinceBoot();
  machine.pass(100);
  offset.measure(sentAt, machine.sinceBoot(), serverTime + 50);
}

test("nothing is claimed before the first exchange", (t) => {
  t.is(new ClockOffset(makeMachine(0)).current(), undefined);
});

test("a clock an hour ahead is measured without the time that the message took", (t) => {
  const machine = makeMachine(3_600_000);
  const offset = new ClockOffset(machine);
  measure(offset, machine, 0);
  t.is(offset.current(), 3_600_000);
});

test("noise below a second changes nothing, so that samples share a batch", (t) => {
  const machine = makeMachine(400);
  const offset = new ClockOffset(machine);
  measure(offset, machine, 0);
  t.is(offset.current(), 0);
  machine.jump(500);
  t.is(offset.current(), 0);
});

test("a jump of the clock between two exchanges shows at once", (t) => {
  const machine = makeMachine(0);
  const offset = new ClockOffset(machine);
  measure(offset, machine, 0);
  machine.jump(-86_400_000);
  t.is(offset.current(), -86_400_000);
  machine.pass(30_000);
  measure(offset, machine, 30_100);
  t.is(offset.current(), -86_400_000);
});

test("a jump in the midst of an exchange does not spoil the measurement", (t) => {
  const machine = makeMachine(0);
  const offset = new ClockOffset(machine);
  const sentAt = machine.sinceBoot();
  machine.pass(50);
  machine.jump(7_200_000);
  machine.pass(50);
  offset.measure(sentAt, machine.sinceBoot(), 50);
  t.is(offset.current(), 7_200_000);
});

test("points from before the first exchange are judged by the clock that they were taken with", (t) => {
  for (const jump of [-3_600_000, 3_600_000, 56 * 365 * 86_400_000]) {
    const machine = makeMachine(1_000_000_000);
    const offset = new ClockOffset(machine);
    const taken = machine.now();
    machine.pass(60_000);
    offset.current();
    machine.jump(jump);
    const takenAfter = machine.now();
    offset.current();
    machine.pass(60_000);
    measure(offset, machine, machine.now());
    t.is(offset.current(), 0);
    t.is(offset.when(taken), -jump);
    t.is(offset.when(takenAfter), 0);
    t.is(offset.when(5_000), 0, "of another process");
  }
});

test("a time that a clock set back showed twice is judged by the larger offset", (t) => {
  const machine = makeMachine(0);
  const offset = new ClockOffset(machine);
  machine.pass(60_000);
  offset.current();
  machine.jump(-30_000);
  machine.pass(60_000);
  measure(offset, machine, machine.now());
  t.is(offset.when(45_000), 30_000);
});

test("a machine that slept has not set its clock, and points of before its next exchange are right", (t) => {
  const machine = makeMachine(0);
  const offset = new ClockOffset(machine);
  measure(offset, machine, 0);
  machine.suspend(8 * 3_600_000);
  t.is(offset.current(), 0);
  machine.jump(-60_000);
  t.is(offset.current(), -60_000);
});

test("an exchange during which the machine slept is not measured", (t) => {
  const machine = makeMachine(0);
  const offset = new ClockOffset(machine);
  measure(offset, machine, 0);
  const sentAt = machine.sinceBoot();
  machine.suspend(3_600_000);
  offset.measure(sentAt, machine.sinceBoot(), sentAt + 50);
  t.is(offset.current(), 0);
});
