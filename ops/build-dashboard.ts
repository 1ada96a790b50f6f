import { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { panels } from './dashboard-panels.ts';

const COLUMNS = 24;

/** The dashboard as Grafana imports it. */
export function dashboardJson(): string {
  const dashboard = new DashboardBuilder('Assessment monitor')
    .uid('assessment-monitor')
    .tags(['assessment-monitor'])
    .refresh('1m')
    .time({ from: 'now-6h', to: 'now' })
    .timezone('browser');
  for (const { title, unit, lines } of panels) {
    const panel = new PanelBuilder()
      .title(title)
      .unit(unit)
      .min(0)
      .span(COLUMNS / 2)
      .height(8);
    lines.forEach(({ legend, expr }, index) =>
      panel.withTarget(
        new DataqueryBuilder()
          .expr(expr)
          .legendFormat(legend)
          .refId(String.fromCodePoint(65 + index)),
      ),
    );
    dashboard.withPanel(panel);
  }
  return `${JSON.stringify(dashboard.build(), null, 2)}\n`;
}
