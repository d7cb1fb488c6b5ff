// An OAuth 2.0 server (npm `oidc-provider`) whose client-credentials tokens a hook decides about.

import { createServer } from 'node:http';

import Provider, { errors } from 'oidc-provider';

import { ask, Refused } from './hookledger.js';

const port = Number(process.env.PORT ?? 3000);
const issuer = `http://127.0.0.1:${port}`;
const api = 'https://reports.example.com/';
const scopes = 'read:reports export:reports';

// In production, clients come from your database; `metadata` is what hooks see of them.
const client = (id, metadata) => ({
  client_id: id,
  client_name: id,
  client_secret: process.env.CLIENT_SECRET ?? 'a-secret-for-local-use-only',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  metadata,
});

/** What the hook said about the request under way. */
const claimsOf = new WeakMap();

const provider = new Provider(issuer, {
  clients: [client('free-client', { plan: 'free' }), client('gold-client', { plan: 'gold' })],
  extraClientMetadata: { properties: ['metadata'] },
  scopes: scopes.split(' '),
  ttl: { ClientCredentials: 600 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => api,
      // Asked once for each token request, before its scopes are settled.
      async getResourceServerInfo(context, audience, asking) {
        const granted = await decide(context, audience, asking);
        return { audience, scope: granted.join(' '), accessTokenFormat: 'jwt' };
      },
    },
  },
  extraTokenClaims: (context) => claimsOf.get(context),
});

async function decide(context, audience, asking) {
  const requested = (context.oidc.params.scope ?? scopes).split(' ');
  try {
    const effects = await ask('credentials-exchange', {
      client: { id: asking.clientId, name: asking.clientName, tenant: 'example', metadata: asking.metadata },
      scope: requested,
      audience,
      context: {},
    });
    claimsOf.set(context, effects?.claims ?? {});
    return effects?.scope ?? requested;
  } catch (error) {
    if (error instanceof Refused && error.name === 'InvalidScopeError') {
      throw new errors.InvalidScope(error.message, requested.join(' '));
    }
    if (error instanceof Refused && error.name === 'InvalidRequestError') {
      throw new errors.InvalidRequest(error.message);
    }
    throw error; // answered as `server_error`, without a token
  }
}

provider.on('server_error', (_, error) => console.error(error.message));
createServer(provider.callback()).listen(port, '127.0.0.1', () => console.log(`Tokens at ${issuer}/token`));
