// The TypeScript SDK's client: lists the tools of argv[2] with argv[3] as its Authorization header, calls the one
// named argv[4] with the JSON of argv[5], and prints what it saw.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, authorization, name, given] = process.argv.slice(2);
const transport = new StreamableHTTPClientTransport(new URL(url), {
  requestInit: { headers: { Authorization: authorization } },
});
const client = new Client({ name: "test", version: "1" });
await client.connect(transport);
const { tools } = await client.listTools();
let progress = 0;
const result = await client.callTool({ name, arguments: JSON.parse(given) }, undefined, {
  onprogress: () => { progress += 1; },
});
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), result, progress }));
await transport.terminateSession();
await client.close();
