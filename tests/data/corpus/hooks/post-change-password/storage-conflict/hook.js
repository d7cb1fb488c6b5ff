module.exports = function (user, context, cb) {
  const { storage } = context.webtask;
  storage.set({ by: 'somebody' }, { force: true }, () => {
    storage.set({ by: 'me' }, { etag: null }, (error) => {
      if (!error) return cb(new Error('overwritten'));
      cb(null, { code: error.code, conflict: error.conflict });
    });
  });
};
