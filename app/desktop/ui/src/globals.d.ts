/** True in builds that run in a plain browser against invented data; the bundler removes what it guards elsewhere. */
declare const __MOCK__: boolean;
