/**
 * Draws two kinds of small SVG plots for the documents: lines over a number, and groups of bars.
 */

const WIDTH = 760;
const LEFT = 70;
const RIGHT = 20;
const TOP = 40;
const COLOURS = ['#2563eb', '#9ca3af', '#d97706', '#059669', '#7c3aed', '#dc2626'];
const TICKS = 5;

const escaped = (text) => String(text).replace(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign]);
const round = (value) => Math.round(value * 10) / 10;
const text = (x, y, content, more = '') => `<text x="${round(x)}" y="${round(y)}" ${more}>${escaped(content)}</text>`;
const line = (x1, y1, x2, y2) => `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="#e5e7eb"/>`;

/** Returns round steps from 0 to at least `most`. */
function scale(most) {
  const rough = (most > 0 ? most : 1) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const ticks = [];
  for (let count = 0; (count - 1) * step < most; count++) ticks.push(Number((count * step).toPrecision(6)));
  return { ticks, top: ticks.at(-1) };
}

function page(height, title, parts) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#374151">
<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
${text(LEFT, 22, title, 'font-size="14" font-weight="600"')}
${parts.join('\n')}
</svg>
`;
}

function legend(names, y) {
  const parts = [];
  let x = LEFT;
  for (const [index, name] of names.entries()) {
    parts.push(`<rect x="${x}" y="${y - 9}" width="10" height="10" fill="${COLOURS[index]}"/>`, text(x + 14, y, name));
    x += 40 + name.length * 7;
  }
  return parts;
}

/**
 * Draws lines.
 * @param xs numbers, rising
 * @param series [{ name, values }], one value for each of `xs`
 */
export function lineChart({ title, xLabel, yLabel, xs, series }) {
  const [height, bottom] = [320, 250];
  const { ticks, top } = scale(Math.max(...series.flatMap(({ values }) => values)));
  const across = scale(xs.at(-1));
  const x = (value) => LEFT + (value / across.top) * (WIDTH - LEFT - RIGHT);
  const y = (value) => bottom - (value / top) * (bottom - TOP);
  const parts = [
    ...ticks.flatMap((tick) => [line(LEFT, y(tick), WIDTH - RIGHT, y(tick)), text(LEFT - 8, y(tick) + 4, tick, 'text-anchor="end"')]),
    ...across.ticks.map((tick) => text(x(tick), bottom + 18, tick, 'text-anchor="middle"')),
    text((LEFT + WIDTH - RIGHT) / 2, bottom + 36, xLabel, 'text-anchor="middle"'),
    text(0, 0, yLabel, `text-anchor="middle" transform="translate(16 ${(TOP + bottom) / 2}) rotate(-90)"`),
    ...series.map(({ values }, index) => {
      const points = values.map((value, at) => `${round(x(xs[at]))},${round(y(value))}`).join(' ');
      return `<polyline points="${points}" fill="none" stroke="${COLOURS[index]}" stroke-width="1.5"/>`;
    }),
    ...legend(
      series.map(({ name }) => name),
      height - 12,
    ),
  ];
  return page(height, title, parts);
}

/**
 * Draws horizontal bars in groups. If the smallest would be less than a hundredth of the largest,
 * the bars have the length of their logarithms, and the title says so.
 * @param groups [{ name, values }], one value for each of `names`
 */
export function barChart({ title, unit, names, groups }) {
  const [bar, gap, labels] = [13, 12, 270];
  const groupHeight = names.length * bar + gap;
  const bottom = TOP + groups.length * groupHeight;
  const { logarithmic, share } = barShares(groups.flatMap(({ values }) => values));
  const length = (value) => share(value) * (WIDTH - labels - RIGHT - 90);
  const parts = groups.flatMap(({ name, values }, group) => {
    const y = TOP + group * groupHeight;
    const bars = values.flatMap((value, index) => [
      `<rect x="${labels}" y="${y + index * bar}" width="${round(length(value))}" height="${bar - 2}" fill="${COLOURS[index]}"/>`,
      text(labels + length(value) + 5, y + index * bar + 10, `${Number(value.toPrecision(3))} ${unit}`, 'font-size="10"'),
    ]);
    return [text(labels - 8, y + (names.length * bar) / 2 + 3, name, 'text-anchor="end"'), ...bars];
  });
  return page(bottom + 34, logarithmic ? `${title} (logarithmic)` : title, [...parts, ...legend(names, bottom + 18)]);
}

/** Returns how long the bar of a value is, from 0 to 1. */
function barShares(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (least > most / 100) return { logarithmic: false, share: (value) => value / most };
  const zero = Math.log10(least) - 0.3;
  return { logarithmic: true, share: (value) => (Math.log10(value) - zero) / (Math.log10(most) - zero) };
}
