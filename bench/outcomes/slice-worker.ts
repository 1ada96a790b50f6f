/* One process of many that play outcomes: see crew.ts. */
import { serveTasks } from '../crew.ts';
import { playSlice } from './slice.ts';

serveTasks(playSlice);
