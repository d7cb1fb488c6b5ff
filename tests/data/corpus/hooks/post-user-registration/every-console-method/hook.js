module.exports = (user, context, cb) => {
  console.log('log %s %d', 'text', 3);
  console.info({ nested: { list: [1, 2] } });
  console.debug('debug line');
  console.warn('warn line');
  console.error(new Error('error line'));
  console.assert(false, 'assert line');
  console.dir({ dir: true });
  console.table([{ a: 1 }]);
  console.group('group');
  console.log('indented');
  console.groupEnd();
  console.count('counter');
  console.time('timer');
  console.timeEnd('timer');
  process.stdout.write('without a line break');
  cb();
};
