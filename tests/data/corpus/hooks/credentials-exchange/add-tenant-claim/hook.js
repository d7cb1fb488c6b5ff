/**
 * Tells the API which tenant a machine client belongs to.
 *
 * @param {object} client - name, id, tenant and metadata of the client
 * @param {array|undefined} scope - scopes about to be granted
 * @param {string} audience - identifier of the API
 * @param {object} context - additional authorization context
 * @param {function} cb - function (error, accessTokenClaims)
 */
module.exports = function(client, scope, audience, context, cb) {
  var access_token = {};
  access_token.scope = scope;
  access_token['https://acme.example/tenant'] = client.tenant;
  access_token['https://acme.example/audience'] = audience;
  access_token.tenant = 'a claim without a namespace';
  cb(null, access_token);
};
