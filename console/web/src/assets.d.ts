/** The comments of the contract by full name, made from gen/ by the build. */
declare module "virtual:comments" {
  const comments: Record<string, string>;
  export default comments;
}
