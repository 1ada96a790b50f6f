import { Session } from 'node:inspector/promises';
import { writeFileSync } from 'node:fs';
import { playOverhead } from './overhead/play-overhead.ts';
import { ours } from './contestants/ours.ts';
import { assembled } from './contestants/assembled.ts';
export async function prof(w: string, mode: any, n: number) {
  const who = w === 'assembled' ? assembled : ours;
  await playOverhead(who, mode, 60);
  await playOverhead(who, mode, 200);
  const s = new Session();
  s.connect();
  await s.post('Profiler.enable');
  await s.post('Profiler.setSamplingInterval', { interval: 200 });
  await s.post('Profiler.start');
  for (let i = 0; i < 3; i++) console.log(JSON.stringify(await playOverhead(who, mode, n)));
  const { profile } = await s.post('Profiler.stop');
  writeFileSync('/tmp/prof/p.cpuprofile', JSON.stringify(profile));
}
export async function heap(w: string, mode: any) {
  const who = w === 'assembled' ? assembled : ours;
  await playOverhead(who, mode, 60);
  const s = new Session();
  s.connect();
  await s.post('HeapProfiler.enable');
  const orig = process.memoryUsage;
  let calls = 0;
  process.memoryUsage = (() => {
    calls++;
    if (calls === 2) {
      s.post('HeapProfiler.getSamplingProfile').then(({ profile }) => {
        writeFileSync('/tmp/prof/h.heapprofile', JSON.stringify(profile));
      });
    }
    return orig();
  }) as any;
  await s.post('HeapProfiler.startSampling', { samplingInterval: 512 });
  console.log(await playOverhead(who, mode, 200));
}
