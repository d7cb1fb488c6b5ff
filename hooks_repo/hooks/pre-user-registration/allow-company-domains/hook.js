// Admits sign-ups with an address of the company, and says why in the language of the page.

const DOMAINS = new Set(['example.com', 'example.org']);

const TEXTS = {
  de: 'Bitte melde dich mit deiner Firmenadresse an.',
  en: 'Please sign up with your company address.',
};

module.exports = function (user, context, cb) {
  const domain = (user.email || '').split('@').pop().toLowerCase();
  if (!DOMAINS.has(domain)) {
    const language = (context.renderLanguage || 'en').slice(0, 2);
    return cb(new PreUserRegistrationError(`foreign domain: ${domain || 'none'}`, TEXTS[language] || TEXTS.en));
  }
  return cb(null, { user: { app_metadata: { domain } } });
};
