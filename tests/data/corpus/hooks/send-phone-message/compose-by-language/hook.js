const TEMPLATES = {
  en: (code) => `Your code is ${code}.`,
  es: (code) => `Tu código es ${code}.`,
};

module.exports = function (recipient, text, context, cb) {
  const template = TEMPLATES[context.language] || TEMPLATES.en;
  const spoken = context.message_type === 'voice';
  const code = spoken ? context.code.split('').join(' ') : context.code;
  cb(null, { to: recipient, text: template(code), channel: context.message_type });
};
