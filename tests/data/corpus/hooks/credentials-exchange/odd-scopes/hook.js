module.exports = function (client, scope, audience, context, cb) {
  cb(null, { scope: ['read:orders', 7, null, { name: 'write:orders' }, 'read:stock'] });
};
