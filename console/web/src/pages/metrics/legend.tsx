import { colourOf } from "../../charts/colours.ts";
import { useTheme } from "../../frame/theme.ts";
import { equal, type Matcher } from "../../words/labels.ts";
import { valueText } from "../../words/units.ts";

/** The series of a chart with their values in figures. */
export function Legend(props: {
  series: { name: string; points: { value: number }[] }[];
  labels: Record<string, string>[];
  common: Record<string, string>;
  metric: string;
  unit: string;
  onFocus: (index: number | undefined) => void;
  onMatch: (matcher: Matcher) => void;
}) {
  const { series, labels, common, metric, unit, onFocus, onMatch } = props;
  const { isDark } = useTheme();
  const text = (value: number | undefined) =>
    value === undefined ? "" : valueText(value, unit, metric);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <section className="legend-table" tabIndex={0} aria-label={`Series of ${metric}`}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Series</th>
            <th scope="col" className="number">
              Last
            </th>
            <th scope="col" className="number" data-rank="1">
              Lowest
            </th>
            <th scope="col" className="number" data-rank="1">
              Average
            </th>
            <th scope="col" className="number">
              Highest
            </th>
          </tr>
        </thead>
        <tbody onPointerLeave={() => onFocus(undefined)}>
          {series.map(({ name, points }, index) => {
            const values = points.map(({ value }) => value);
            const sum = values.reduce((total, value) => total + value, 0);
            // What sets this one apart and can be asked for alone.
            const own = Object.entries(labels[index] ?? {}).find(([label]) => !(label in common));
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: two series may be called the same
              <tr key={index} onPointerEnter={() => onFocus(index)}>
                <td>
                  <span className="swatch" style={{ background: colourOf(index, isDark) }} />
                  {own && series.length > 1 ? (
                    <button
                      type="button"
                      className="legend-name foreign"
                      title="Show only these"
                      onClick={() => onMatch(equal(...own))}
                    >
                      {name}
                    </button>
                  ) : (
                    <span className="foreign">{name}</span>
                  )}
                </td>
                <td className="number">{text(values.at(-1))}</td>
                <td className="number" data-rank="1">
                  {text(least(values))}
                </td>
                <td className="number" data-rank="1">
                  {text(sum / values.length)}
                </td>
                <td className="number">{text(most(values))}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

const least = (values: number[]) =>
  values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
const most = (values: number[]) =>
  values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
