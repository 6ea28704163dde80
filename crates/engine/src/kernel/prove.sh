# Runs the probe of each feature and says how it ended, in a form that prove.rs reads.
for probe in /.mote/probes/*; do
    echo "$MARK begin ${probe##*/}"
    timeout 30 sh "$probe" </dev/null 2>&1
    status=$?
    echo
    echo "$MARK end ${probe##*/} $status"
done
