using System.Globalization;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.Chaos.Cluster;
using KafkaEventSourcing.Chaos.Load;
using KafkaEventSourcing.Chaos.Verdict;

namespace KafkaEventSourcing.Chaos;

/// <summary>
/// Runs of one seed after the other on one cluster, and at the end the comparison of events, state stores and read models.
/// </summary>
internal sealed class ChaosSession(DomainUnderTest domain, ChaosOptions options, int runs, string output, bool keepAll, TimeProvider time)
{
    /// <summary>Runs them, telling <paramref name="tell"/> of each.</summary>
    /// <returns>Whether nothing that must not happen did.</returns>
    public async Task<bool> Run(Action<string> tell, CancellationToken cancellationToken)
    {
        string folder = Directory.CreateTempSubdirectory("kes-chaos-").FullName;
        var figures = new ChaosFigures { WithStreams = options.Streams > 0, WithArchive = options.WithArchive };
        bool well = true;
        try
        {
            ChaosOptions here = options with { ArchiveFolder = options.WithArchive ? Path.Combine(folder, "archive") : null };
            if (here.ArchiveFolder is { } archive)
                await FolderArchiveStore.Create(archive).DisposeAsync().ConfigureAwait(false);
            ChaosCluster cluster = await ChaosCluster.Start(domain, here, folder, time, cancellationToken).ConfigureAwait(false);
            await using (cluster.ConfigureAwait(false))
            {
                JsonNode api = await ApiOf(cluster.Nodes[0].Http!.BaseAddress!, cancellationToken).ConfigureAwait(false);
                DomainUnderTest present = domain with
                {
                    Streams = options.Streams > 0 ? domain.Streams : null,
                    Aggregates = [.. domain.Aggregates.Where(a => api["paths"]![$"/{a.Name}/{{id}}"] is not null)],
                };
                Workload workload = domain.Load is { } load
                    ? Workload.Parse(load, present.Aggregates)
                    : Workload.OfExamples(api, present.Aggregates);
                EntryPoints entryPoints = await EntryPoints.Open(api["info"]!["title"]!.GetValue<string>(), present,
                    cluster.Servers.OfChecker, here.ArchiveFolder, time, cancellationToken).ConfigureAwait(false);
                await using (entryPoints.ConfigureAwait(false))
                {
                    for (int run = 0; run < runs && figures.NotReady == 0; run++)
                    {
                        ChaosOptions seeded = here with { Seed = options.Seed + run };
                        ChaosResult result = await new ChaosRun(cluster, present, workload, seeded, entryPoints, time).Run(figures,
                            cancellationToken).ConfigureAwait(false);
                        well &= await Tell(result, cluster, tell, cancellationToken).ConfigureAwait(false);
                    }

                    (figures.Archived, figures.LeftTopics) = await entryPoints.Archived(cancellationToken).ConfigureAwait(false);
                }

                if (figures.NotReady == 0
                    && await cluster.Verify(options.Patience, cancellationToken).ConfigureAwait(false) is { } difference)
                {
                    well = false;
                    figures.Violations++;
                    tell($"VIOLATION after all runs: {difference}");
                    cluster.CopyLogs(Path.Combine(output, "verify"));
                }

                foreach (ChildProcess process in cluster.Processes)
                {
                    figures.FencedWriters += process.FencedWriters;
                    figures.EndedByThemselves += process.EndedByItself;
                    figures.BadEnds += process.BadEnds;
                    figures.Restores += process.Restores;
                }

                figures.Restores += cluster.Restored;
                if (figures.Restores.Short > 0)
                {
                    well = false;
                    figures.Violations++;
                    string files = Path.Combine(output, "short");
                    cluster.CopyLogs(files);
                    tell($"VIOLATION after all runs: nodes found {figures.Restores.Short} times that snapshots of event streams lack "
                        + $"events that their mark says they have; what the processes printed is in {files}.");
                }

                if (figures.EndedByThemselves > 0 || figures.BadEnds > 0)
                {
                    string files = Path.Combine(output, "ended");
                    cluster.CopyLogs(files);
                    tell($"Processes ended by themselves, or not in order: what they printed is in {files}.");
                }
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        tell($"{Environment.NewLine}{figures}");
        return well;
    }

    // No call of a caller: the first one makes the whole document, which takes a node that has just started long when its cores are busy.
    private static async Task<JsonNode> ApiOf(Uri node, CancellationToken cancellationToken)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false })
        {
            BaseAddress = node, Timeout = TimeSpan.FromMinutes(2),
        };
        return JsonNode.Parse(await http.GetStringAsync("/openapi.json", cancellationToken).ConfigureAwait(false))!;
    }

    private async Task<bool> Tell(ChaosResult result, ChaosCluster cluster, Action<string> tell, CancellationToken cancellationToken)
    {
        bool well = result.Violations.Count == 0;
        string files = Path.Combine(output, string.Create(CultureInfo.InvariantCulture, $"seed-{result.Seed}"));
        if (!well || keepAll)
        {
            await ChaosRecord.Write(result, files, cancellationToken).ConfigureAwait(false);
            cluster.CopyLogs(files);
        }

        tell(string.Create(CultureInfo.InvariantCulture,
            $"seed {result.Seed}: {result.Faults.Count} faults, {result.Verdicts.Values.Sum(v => v.Commands - v.SentAgain):N0} "
                + $"commands, {result.Verdicts.Values.Sum(v => v.Reads):N0} strong reads: {(well ? "no violation" : "VIOLATION")}"));
        foreach (ChaosViolation violation in result.Violations)
            tell(violation.ToString());
        if (!well)
            tell($"History, log, faults and what the processes printed are in {files}.");
        return well;
    }
}
