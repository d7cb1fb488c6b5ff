const TEXTS = {
  de: 'Diese Adresse können wir nicht annehmen.',
  fr: 'Nous ne pouvons pas accepter cette adresse.',
  en: 'We cannot accept this address.',
};

module.exports = function (user, context, cb) {
  const language = (context.renderLanguage || context.requestLanguage || 'en').slice(0, 2);
  if (user.email.endsWith('.invalid')) {
    return cb(new PreUserRegistrationError(`refused ${user.email}`, TEXTS[language] || TEXTS.en));
  }
  return cb();
};
