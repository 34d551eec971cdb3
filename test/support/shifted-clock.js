/** For NODE_OPTIONS=--import: the program believes that it is TEST_LATER_MS later. */
const now = Date.now;
const later = Number(process.env.TEST_LATER_MS);
Date.now = () => now() + later;
