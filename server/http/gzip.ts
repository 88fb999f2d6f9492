import { promisify } from "node:util";
import zlib from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";

const compress = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.gzip);
const decompress = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.gunzip);

/** Of all levels the one that costs little more than the fastest; clients cannot ask for another. */
const LEVEL = 4;

const asBytes = (buffer: Buffer) =>
  new Uint8Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength);

/**
 * The one compression of requests and answers. A body that unfolds to more than is allowed is given
 * up at that size (RESOURCE_EXHAUSTED); one that is cut off or damaged is the sender's mistake
 * (INVALID_ARGUMENT).
 */
export const gzip: Compression = {
  name: "gzip",
  async compress(bytes) {
    return asBytes(await compress(bytes, { level: LEVEL }));
  },
  async decompress(bytes, readMaxBytes) {
    if (bytes.length === 0) return new Uint8Array(0);
    try {
      return asBytes(await decompress(bytes, { maxOutputLength: readMaxBytes }));
    } catch (error) {
      throw (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE"
        ? new ConnectError(
            `the message takes more than ${readMaxBytes} bytes once decompressed; split it`,
            Code.ResourceExhausted,
          )
        : new ConnectError(
            "the message is not gzip, as its encoding says, or is cut off",
            Code.InvalidArgument,
          );
    }
  },
};
