import react from '@vitejs/plugin-react';

const api = process.env.API ?? 'http://localhost:3000';

export default {
  plugins: [react()],
  server: { proxy: { '/api': api, '/socket.io': { target: api, ws: true } } },
};
