const { v5: uuidv5, validate } = require('uuid@9.0.1');

const NAMESPACE = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';

module.exports = function (user, context, cb) {
  const event = { id: uuidv5(user.id, NAMESPACE), type: 'user.created', user: user.id };
  if (!validate(event.id)) throw new Error('not an id');
  console.log(JSON.stringify(event));
  cb(null, event);
};
