/*
 * Run as a process of its own in place of PowerShell: answers each line with the text of
 * LUMETRY_TEST_ANSWER, or as its argument says. Ends when its input ends, as query.ps1 does.
 */
const { LUMETRY_TEST_ANSWER = "{}" } = process.env;

const answers: Record<string, () => void> = {
  answer: () => process.stdout.write(`${LUMETRY_TEST_ANSWER}\n`),
  slowly: () => {
    process.stdout.write(LUMETRY_TEST_ANSWER.slice(0, 50));
    setTimeout(() => process.stdout.write(`${LUMETRY_TEST_ANSWER.slice(50)}\n`), 50);
  },
  pid: () => process.stdout.write(`${process.pid}\n`),
  rubbish: () => process.stdout.write("Windows PowerShell\n"),
  silence: () => {},
  flood: () => process.stdout.write("x".repeat(5 << 20)),
  die: () => process.exit(3),
};

process.stdin.on("data", () => answers[process.argv[2] ?? "answer"]?.());
process.stdin.on("end", () => process.exit(0));
