module.exports = function (client, scope, audience, context, cb) {
  switch (audience) {
    case 'urn:text': return cb('just a text');
    case 'urn:object': return cb({ message: 'an object with a message', code: 7 });
    case 'urn:number': return cb(42);
    case 'urn:error': return cb(new Error('a plain error'));
    default: return cb(Object.assign(new TypeError('with more'), { statusCode: 403, hint: { retry: false } }));
  }
};
