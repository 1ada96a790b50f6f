const api = process.env.API ?? 'http://localhost:3000';

export default { server: { proxy: { '/api': api, '/socket.io': { target: api, ws: true } } } };
