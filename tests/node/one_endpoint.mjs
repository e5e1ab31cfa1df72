// The TypeScript SDK's client at one endpoint for all servers: argv[2], with argv[3] as its Authorization header.
// argv[4] is the package, "sdk" for version 1 and "client" for version 2; argv[5] "legacy", or the version it speaks.
// Does what the JSON in argv[6] lists, a tool's name and arguments each, and prints all that it saw. It answers what it
// is asked, and waits for no tool of the name "wait".
const [url, authorization, make, speaks, calls] = process.argv.slice(2);
const base = "@modelcontextprotocol";
const { Client, StreamableHTTPClientTransport, ...types } = make === "client"
  ? await import(`${base}/client`)
  : {
    ...await import(`${base}/sdk/client/index.js`),
    ...await import(`${base}/sdk/client/streamableHttp.js`),
    ...await import(`${base}/sdk/types.js`),
  };

const capabilities = { elicitation: { form: {} }, sampling: {}, roots: {} };
const versionNegotiation = { mode: speaks === "legacy" ? "legacy" : { pin: speaks } };
const client = new Client({ name: "test", version: "1" }, { capabilities, versionNegotiation });
const seen = { asked: [], logs: [], progress: 0, results: {} };

// Version 1 names messages by their schemas, version 2 by their methods.
const ANSWERS = {
  "elicitation/create": ["ElicitRequestSchema", ({ params }) => {
    seen.asked.push(params.message);
    const names = Object.keys(params.requestedSchema.properties);
    return { action: "accept", content: names.includes("sure") ? { sure: true } : { name: "Bo", check: true } };
  }],
  "sampling/createMessage": ["CreateMessageRequestSchema", () => (
    { role: "assistant", content: { type: "text", text: "yes" }, model: "tests" }
  )],
  "roots/list": ["ListRootsRequestSchema", () => ({ roots: [{ uri: "file:///work", name: "work" }] })],
};
for (const [method, [schema, answer]] of Object.entries(ANSWERS)) {
  client.setRequestHandler(make === "client" ? method : types[schema], answer);
}
client.setNotificationHandler(
  make === "client" ? "notifications/message" : types.LoggingMessageNotificationSchema,
  ({ params }) => { seen.logs.push(params.data); },
);

await client.connect(new StreamableHTTPClientTransport(new URL(url), {
  requestInit: { headers: { Authorization: authorization } },
}));
let tools = [];
const wanted = JSON.parse(calls);
while (!wanted.every(([name]) => tools.includes(name))) { // a busy machine may be late with some
  await new Promise((resolve) => setTimeout(resolve, 50));
  tools = (await client.listTools()).tools.map((tool) => tool.name);
}
seen.tools = tools;
for (const [name, given] of wanted) {
  const waiting = new AbortController();
  const options = { signal: waiting.signal, onprogress: () => {
    seen.progress += 1;
    if (name.endsWith("__wait")) waiting.abort();
  } };
  const asked = { name, arguments: given };
  const answer = make === "client" ? client.callTool(asked, options) : client.callTool(asked, undefined, options);
  try {
    const { content, isError } = await answer;
    seen.results[name] = (isError ? "error: " : "") + content.map((part) => part.text ?? "").join("");
  } catch (error) {
    seen.results[name] = waiting.signal.aborted ? "cancelled" : `${error}`;
  }
}
console.log(JSON.stringify(seen));
process.exit(0);
