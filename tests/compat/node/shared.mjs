// What every client is asked, and how its run is told: one line of JSON for all models.
export const KEY = process.env.GATEWAY_KEY;
export const URL = process.env.GATEWAY_URL;
export const PNG = process.env.PNG;
export const SCHEMA = JSON.parse(process.env.SCHEMA);
export const PARAMETERS = JSON.parse(process.env.PARAMETERS);
export const say = (word) => `compat-${word}: what do you say?`;

export async function tell(run) {
  const found = {};
  for (const [host, model] of Object.entries(JSON.parse(process.env.MODELS))) {
    found[host] = await run(model);
  }
  console.log(JSON.stringify(found));
}

export async function failure(work) {
  try {
    await work();
  } catch (error) {
    const status = error.status ?? error.statusCode ?? null;
    return { status, message: String(error.message ?? error), body: JSON.stringify(error.error ?? error.body ?? error.data ?? error.responseBody ?? "") };
  }
  return { status: null, message: "" };
}
