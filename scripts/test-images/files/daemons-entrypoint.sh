#!/bin/sh
# Two daemons that leave their parent, and a program that stays.
set -e

cron
nginx
exec tail -n +1 -F /var/log/nginx/access.log
