let count = 0;
const startedAt = Date.now();

module.exports = (user, context, cb) => {
  count += 1;
  if (startedAt > Date.now()) return cb(new Error('time runs backwards'));
  return cb(null, { count });
};
