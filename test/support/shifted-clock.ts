/**
 * Preloaded into a process whose clock is to be wrong: by LUMETRY_TEST_CLOCK_SHIFT milliseconds
 * from the start, and by as many as each message { jumpMs } says from then on.
 */
const { now } = Date;
let shift = Number(process.env.LUMETRY_TEST_CLOCK_SHIFT ?? 0);

Date.now = () => now() + shift;
process.on("message", (message: { jumpMs?: number }) => {
  shift += message.jumpMs ?? 0;
});
process.channel?.unref();
