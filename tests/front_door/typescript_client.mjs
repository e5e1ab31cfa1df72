// The TypeScript SDK's client with its own OAuth, as the SDK's example puts it together: a provider that keeps all in
// memory, a listener on loopback, and BROWSER to open the URL. argv[2] is the endpoint; argv[3] the package, "sdk" for
// version 1 and "client" for version 2. Calls the tool that each line of the input names, and prints a line each.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

const [url, make] = process.argv.slice(2);
const base = "@modelcontextprotocol";
const { Client, StreamableHTTPClientTransport, UnauthorizedError } = make === "client"
  ? await import(`${base}/client`)
  : {
    ...await import(`${base}/sdk/client/index.js`),
    ...await import(`${base}/sdk/client/streamableHttp.js`),
    ...await import(`${base}/sdk/client/auth.js`),
  };

const kept = {};
let arrived;
const listener = createServer((request, response) => {
  const query = new URL(request.url, "http://127.0.0.1").searchParams;
  response.end("You can close this window.");
  arrived?.(query);
});
await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
const redirectUrl = `http://127.0.0.1:${listener.address().port}/callback`;

let answer;
const provider = {
  redirectUrl,
  clientMetadata: { client_name: "TypeScript SDK", redirect_uris: [redirectUrl], token_endpoint_auth_method: "none" },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; },
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  discoveryState: () => kept.discovery,
  saveDiscoveryState: (state) => { kept.discovery = state; },
  // An application must forget what the server does not take any more; else the SDK offers it again.
  invalidateCredentials: (what) => {
    if (what !== "verifier") delete kept.tokens;
    if (what === "all" || what === "client") delete kept.client;
  },
  redirectToAuthorization: (authorizationUrl) => {
    answer = new Promise((resolve) => { arrived = resolve; });
    spawn(process.env.BROWSER, [authorizationUrl.href], { stdio: "ignore" });
  },
};

let client, transport;
const connect = async () => {
  client = new Client({ name: "test", version: "1" });
  transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
  await client.connect(transport);
};
// What the SDK leaves to the application: wait for the answer, hand it over, begin again.
const signedIn = async (work) => {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UnauthorizedError) || answer === undefined) throw error;
    const query = await answer;
    answer = undefined;
    if (!query.get("code")) throw new Error(`${query.get("error")}: ${query.get("error_description")}`);
    await (make === "client" ? transport.finishAuth(query) : transport.finishAuth(query.get("code")));
    await client.close();
    await connect();
    return await work();
  }
};

const say = (said) => process.stdout.write(`${JSON.stringify(said)}\n`);
for await (const tool of createInterface({ input: process.stdin })) {
  try {
    const result = await signedIn(async () => {
      if (client === undefined || transport.closed) await connect();
      return await client.callTool({ name: tool, arguments: {} });
    });
    const text = result.content.map((part) => part.text ?? "").join("");
    say(result.isError ? { error: text } : { text });
  } catch (error) {
    say({ error: `${error.name}: ${error.message}` });
  }
}
process.exit(0);
