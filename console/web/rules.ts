import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Plugin } from "esbuild";

/** Where generated code has the rules of protovalidate from. */
const RULES = /^@bufbuild\/protovalidate\/gen\/buf\/validate\/validate_pb\.js$/;

/**
 * The descriptors of the contract name the file that describes their rules, and the console never
 * reads it: in its place stands an empty one, which a first load notices by 17 kB.
 */
export const rulesPlugin: Plugin = {
  name: "rules",
  setup(build) {
    build.onResolve({ filter: RULES }, ({ path: name, resolveDir }) => ({
      path: name,
      namespace: "rules",
      pluginData: resolveDir,
    }));
    build.onLoad({ filter: /.*/, namespace: "rules" }, ({ pluginData }) => {
      const name = "buf/validate/validate.proto";
      const empty = create(FileDescriptorProtoSchema, { name, package: "buf.validate" });
      const base64 = Buffer.from(toBinary(FileDescriptorProtoSchema, empty)).toString("base64");
      return {
        contents: `import { fileDesc } from "@bufbuild/protobuf/codegenv2";
          export const file_buf_validate_validate = /*@__PURE__*/ fileDesc("${base64}");`,
        resolveDir: pluginData,
      };
    });
  },
};
