// How the TypeScript SDK reads messages: one in base64 on each line in, what it is on each line out, null if it is none.
import { JSONRPCMessageSchema } from "@modelcontextprotocol/sdk/types.js";
import { createInterface } from "node:readline";

for await (const line of createInterface({ input: process.stdin })) {
  let read = null;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(Buffer.from(line, "base64"));
    const { method, id, params } = JSONRPCMessageSchema.parse(JSON.parse(text));
    read = { ...(method !== undefined && { method }), ...(id !== undefined && { id }), params: params ?? {} };
  } catch {}
  console.log(JSON.stringify(read));
}
