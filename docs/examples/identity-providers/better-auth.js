// Sign-up and passwords (npm `better-auth`), with hooks before and after a registration.

import { createServer } from 'node:http';

import { memoryAdapter } from 'better-auth/adapters/memory';
import { APIError } from 'better-auth/api';
import { betterAuth } from 'better-auth';
import { toNodeHandler } from 'better-auth/node';

import { ask, Refused } from './hookledger.js';

const port = Number(process.env.PORT ?? 3001);
const origin = `http://127.0.0.1:${port}`;
const connection = { id: 'con_email', name: 'email', tenant: 'example' };

// In production, this is your database.
const tables = { user: [], session: [], account: [], verification: [] };

const auth = betterAuth({
  baseURL: origin,
  secret: process.env.BETTER_AUTH_SECRET ?? 'a-secret-for-local-use-only-32-long',
  database: memoryAdapter(tables),
  emailAndPassword: { enabled: true },
  user: { additionalFields: { appMetadata: { type: 'json', required: false, input: false } } },
  databaseHooks: {
    user: {
      create: {
        before: async (user, endpoint) => ({ data: { ...user, appMetadata: await register(user, endpoint) } }),
        after: (user, endpoint) => ask('post-user-registration', payloadOf(user, endpoint)),
      },
    },
  },
});

/** Return the metadata that the hook wants kept; throw what the person at the form shall read. */
async function register(user, endpoint) {
  try {
    const effects = await ask('pre-user-registration', payloadOf(user, endpoint));
    return effects?.user?.app_metadata ?? {};
  } catch (error) {
    if (error instanceof Refused) {
      throw new APIError('FORBIDDEN', { code: error.name, message: error.data.friendlyMessage ?? error.message });
    }
    console.error(error.message);
    throw new APIError('SERVICE_UNAVAILABLE', { message: 'Please try again in a moment.' });
  }
}

function payloadOf(user, endpoint) {
  const language = endpoint?.headers?.get('accept-language')?.split(',')[0] ?? 'en';
  return {
    user: {
      id: user.id,
      tenant: connection.tenant,
      username: user.name,
      email: user.email,
      emailVerified: user.emailVerified,
      app_metadata: user.appMetadata ?? {},
      user_metadata: {},
    },
    context: {
      requestLanguage: language,
      renderLanguage: language,
      request: { language },
      connection,
    },
  };
}

createServer(toNodeHandler(auth)).listen(port, '127.0.0.1', () => console.log(`Sign up at ${origin}/api/auth/sign-up/email`));
