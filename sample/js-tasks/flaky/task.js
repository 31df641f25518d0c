// With base_url the failures come over HTTP; without it, they are thrown as the same classes.
const FAILURES = {
  none: () => {},
  network: (url) => {
    if (url) fetch(`${url}/drop`);
    throw new NetworkError('The connection was reset');
  },
  timeout: (url) => {
    if (url) fetch(`${url}/never`, { timeout: 200 });
    throw new TimeoutError('No answer within 200 ms');
  },
  rate_limit: (url) => answerWith(url, 429, () => new RateLimitError('Too many requests')),
  server_error: (url) => answerWith(url, 503, () => new ServiceUnavailableError('The service is down')),
  auth: (url) => answerWith(url, 401, () => new AuthenticationError('The key is not valid')),
  forbidden: (url) => answerWith(url, 403, () => new AuthorizationError('The key may not do this')),
  not_found: (url) => answerWith(url, 404, () => new HttpError('Nothing is here')),
  null_access: (url) => {
    const user = url ? fetch(`${url}/json`).body : { profile: null };
    const name = user.profile.name;
    return { ok: name !== '' };
  },
  schema: () => ({ ok: 'yes' }),
  error: () => {
    throw new Error('Something went wrong on purpose');
  },
  then_succeeds: (url, input, { attempt }) => {
    const wanted = input.succeed_on_attempt || 3;
    if (url) fetch(`${url}/flaky/then-succeeds?fails=${wanted - 1}`);
    else if (attempt < wanted) throw new ServiceUnavailableError(`Attempt ${attempt} of ${wanted} fails`);
  },
};

function answerWith(url, status, error) {
  if (url) fetch(`${url}/status/${status}`);
  throw error();
}

function main(input, context) {
  const mode = input.fail || 'none';
  console.info(`Attempt ${context.attempt}, failure: ${mode}`);
  return FAILURES[mode](input.base_url, input, context) || { ok: true, attempt: context.attempt };
}

main;
