// Two users visit the site with a real browser: one on a desktop, one on a phone without JavaScript. The first signs up, posts with
// a picture and logs out. The second signs up, finds and follows the first, sees the post in the timeline, likes it and logs out.
// Browser errors and failed requests are failures too.
//
//   npm ci --no-bin-links && node visit.mjs http://127.0.0.1:8080 [FOLDER]
//
// Screenshots of each user's last page are saved in FOLDER. CHROMIUM is the browser; default /usr/bin/chromium.
// Prints one line of JSON: the X-Request-ID of the post, and the path of its picture.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { chromium, devices } from 'playwright-core';

const [site, folder] = process.argv.slice(2);
assert(site, 'usage: node visit.mjs URL [FOLDER]');
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  chromiumSandbox: process.getuid() !== 0,
});
const drawn = randomBytes(4).toString('hex');
const complaints = [];

async function visit(name, options, doings) {
  const context = await browser.newContext({ baseURL: site, ignoreHTTPSErrors: true, ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const complain = (what) => complaints.push(`${name}, at ${page.url()}: ${what}`);
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && complain(m.text()));
  page.on('pageerror', (e) => complain(e.message));
  // The browser aborts requests when it leaves a page.
  page.on('requestfailed', (r) => r.failure().errorText !== 'net::ERR_ABORTED' && complain(`${r.method()} ${r.url()}: ${r.failure().errorText}`));
  page.on('response', (r) => r.status() >= 400 && complain(`${r.request().method()} ${r.url()}: ${r.status()}`));
  try {
    await page.goto('/account/sign-up/');
    await page.locator('[name=username]').fill(name);
    await page.locator('[name=password1]').fill('a-long-phrase-of-seven');
    await page.locator('[name=password2]').fill('a-long-phrase-of-seven');
    await page.locator('main').getByRole('button').click();
    await page.getByRole('status').getByText(name).waitFor();
    await doings(page);
    await shoot(page, name);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.locator('nav').getByRole('link', { name: 'Sign up' }).waitFor();
    await page.goto('/account/');
    assert.equal(new URL(page.url()).pathname, '/account/log-in/', 'the account page is visible after logging out');
  } catch (error) {
    await shoot(page, `${name}-failed`);
    throw new Error(`${name}, at ${page.url()}: ${error.message}\n${await page.locator('main').innerText().catch(() => '')}`);
  }
  await context.close();
}

const shoot = (page, name) => folder && page.screenshot({ path: join(folder, `${name.replace(`_${drawn}`, '')}.png`), fullPage: true });

// shown waits until the picture of a post is loaded.
async function shown(page) {
  const picture = page.locator('.post', { hasText: text }).locator('img.picture');
  await picture.scrollIntoViewIfNeeded();
  for (let tries = 0; !(await picture.evaluate((img) => img.complete && img.naturalWidth > 0)); tries++) {
    assert(tries < 100, 'the picture does not load');
    await page.waitForTimeout(100);
  }
  return picture;
}

const grace = `grace_${drawn}`;
const text = `First boat of the spring, number ${drawn}.`;
const result = {};

try {
  await visit(grace, { viewport: { width: 1000, height: 700 } }, async (page) => {
    await page.goto('/');
    await page.locator('[name=text]').fill(text);
    await page.locator('[name=picture]').setInputFiles({ name: 'boat.png', mimeType: 'image/png', buffer: await page.screenshot() });
    const answer = page.waitForResponse((r) => r.request().method() === 'POST');
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    result.request = (await (await answer).allHeaders())['x-request-id'];
    assert.match(result.request ?? '', /^[0-9a-f]{32}$/, 'the post has no X-Request-ID');
    result.picture = await (await shown(page)).evaluate((img) => img.parentElement.getAttribute('href'));
  });
  const { defaultBrowserType, ...phone } = devices['Pixel 7'];
  await visit(`ada_${drawn}`, { ...phone, javaScriptEnabled: false }, async (page) => {
    await page.getByRole('searchbox').fill(drawn);
    await page.getByRole('searchbox').press('Enter');
    await page.getByRole('link', { name: `@${grace}` }).first().click();
    await page.getByRole('button', { name: 'Follow', exact: true }).click();
    await page.getByRole('button', { name: 'Unfollow' }).waitFor();
    await page.getByRole('link', { name: 'Home' }).click();
    await shown(page);
    await page.getByRole('button', { name: /0 likes/ }).click();
    await page.getByRole('button', { name: /1 likes/ }).waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert(wide <= 0, `the timeline is ${wide} pixels wider than the phone`);
  });
  assert(complaints.length === 0, `browser errors:\n${complaints.join('\n')}`);
} finally {
  await browser.close();
}
console.log(JSON.stringify(result));
