const _ = require('lodash@4.17.21');
const pick = require('lodash@4.17.21/pick');

module.exports = function (user, context, cb) {
  const user_metadata = _.mapKeys(user.user_metadata, (value, key) => _.camelCase(key));
  const app_metadata = _.defaults({ source: context.connection.name }, pick(user.app_metadata, ['plan']));
  cb(null, { user: { user_metadata, app_metadata, email: 'changed@acme.example', password: 'changed' } });
};
