// The certified oidc-provider, set up by the JSON in the environment variable SETUP, on 127.0.0.1.
// What it does is told on standard output, one JSON object a line.
import Provider from "oidc-provider";

const setup = JSON.parse(process.env.SETUP);
const tell = (event, facts = {}) => console.log(JSON.stringify({ event, ...facts }));

const claimsOf = (login) => setup.accounts[login] ?? { email: login, email_verified: true };

const provider = new Provider(setup.issuer, {
  clients: setup.clients,
  scopes: ["openid", "offline_access", ...setup.scopes],
  claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"] },
  // Its own way out refuses loopback, where everything of the tests is.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  conformIdTokenClaims: !setup.claimsInIdToken,
  cookies: { keys: ["of-the-tests"] },
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...claimsOf(sub) }) }),
  issueRefreshToken: (ctx, client, code) =>
    client.grantTypeAllowed("refresh_token") && (Boolean(setup.resource) || code.scopes.has("offline_access")),
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: {
    AccessToken: setup.accessTokenSeconds, AuthorizationCode: 60, Grant: 86400, IdToken: 3600, Interaction: 3600,
    RefreshToken: 86400, Session: 86400,
  },
  features: {
    backchannelLogout: { enabled: true },
    devInteractions: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    registration: { enabled: setup.registration },
    registrationManagement: { enabled: setup.registration, rotateRegistrationAccessToken: false },
    revocation: { enabled: true, allowedPolicy: () => true },
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: Boolean(setup.resource),
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => {
        if (resource !== setup.resource) throw new provider.InvalidTarget();
        return { scope: setup.scopes.join(" "), audience: resource, accessTokenFormat: "opaque" };
      },
    },
  },
});
provider.InvalidTarget = (await import("oidc-provider")).errors.InvalidTarget;

provider.on("registration_create.success", (ctx, client) => tell("registered", { client: client.clientId }));
provider.on("registration_update.success", (ctx, client) => tell("changed", { client: client.clientId }));
provider.on("registration_delete.success", (ctx, client) => tell("forgotten", { client: client.clientId }));
provider.on("backchannel.success", (ctx, client) => tell("logged out", { client: client.clientId }));
provider.on("backchannel.error", (ctx, error, client) => tell("refused", { at: "backchannel", error: error.message, why: String(error.cause ?? "") }));
const grants = new Set();
provider.on("grant.success", (ctx) => {
  const { AccessToken: token } = ctx.oidc.entities;
  if (token?.grantId) grants.add(token.grantId);
  tell("granted", {
    grant: ctx.oidc.params.grant_type, client: ctx.oidc.client.clientId, resource: ctx.oidc.params.resource ?? null,
    scope: token?.scope ?? null,
  });
});
provider.on("grant.revoked", (ctx, id) => tell("revoked", {}));
for (const name of ["authorization.error", "grant.error", "registration_create.error", "registration_update.error", "server_error"]) {
  provider.on(name, (ctx, error) => tell("refused", { at: name, error: error.message, why: error.error_description }));
}

// What everybody allowed so far ends when somebody asks for /end-grants.
provider.use(async (ctx, next) => {
  if (ctx.path !== "/end-grants") return next();
  for (const id of grants) {
    await provider.AccessToken.revokeByGrantId(id);
    await provider.RefreshToken.revokeByGrantId(id);
    await (await provider.Grant.find(id))?.destroy();
  }
  grants.clear();
  ctx.status = 204;
});

// Somebody who asks for /told/MARK finds the mark behind everything that was told before.
provider.use((ctx, next) => {
  if (!ctx.path.startsWith("/told/")) return next();
  tell("asked", { mark: ctx.path.slice("/told/".length) });
  ctx.status = 204;
});

provider.listen(setup.port, "127.0.0.1", () => tell("listening"));
