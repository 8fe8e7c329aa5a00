// The JSON API as the pages use it. Errors carry what the server said, fit to be shown.

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The words of a failed answer. */
export function errorOf(status, body) {
  const told = body?.error;
  if (told?.message) return new ApiError(status, told.code, told.message);
  return new ApiError(status, "error", status ? `The server answered ${status}.` : "The server cannot be reached.");
}

/** Ask, and give back the JSON of the answer (null where there is none). Throws ApiError. */
export async function api(method, path, { body, headers = {}, signal } = {}) {
  const given = body === undefined ? {} : { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: { Accept: "application/json", ...given, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw errorOf(0, null);
  }
  const content = await answer.json().catch(() => null);
  if (!answer.ok) throw errorOf(answer.status, content);
  return content;
}
