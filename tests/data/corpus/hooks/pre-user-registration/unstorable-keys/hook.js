module.exports = function (user, context, cb) {
  cb(null, { user: { app_metadata: { 'a.b': 1, $set: 2, 'c$': 3, nested: { 'd.e': 4 } }, user_metadata: 'not an object' } });
};
