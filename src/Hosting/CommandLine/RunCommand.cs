using System.CommandLine;
using System.Globalization;
using System.Net;
using KafkaEventSourcing.Hosting.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary><c>run</c>: a node with its HTTP interface, until Ctrl-C.</summary>
internal static class RunCommand
{
    private const int DefaultHttpPort = 8080;

    public static string DefaultDataDirectory(ApplicationDefinition application) => Path.Combine("data", application.Name);

    public static Command Create(NodeStarter starter)
    {
        var command = new Command("run", "serve commands and queries until Ctrl-C");
        starter.AddOptions(command);
        Option<int> port = ServerOptions.Named(
            "--http-port", "KES_HTTP_PORT", $"HTTP port (default {DefaultHttpPort}; 0: a free one)", v => int.Parse(v, NumberStyles.None, CultureInfo.InvariantCulture), DefaultHttpPort);
        Option<string> host = ServerOptions.Named("--http-host", "KES_HTTP_HOST", "address to listen on (default 127.0.0.1)", v => v, "127.0.0.1");
        command.Options.Add(port);
        Option<string?> advertise = ServerOptions.Named<string?>("--advertise", "KES_ADVERTISE", "where other nodes reach this one, such as http://node-1:8080 (default: the address it listens on)", v => v);
        command.Options.Add(host);
        command.Options.Add(advertise);
        command.SetAction(async (result, cancellationToken) =>
        {
            var http = new HttpOptions { Host = result.GetValue(host)!, Port = result.GetValue(port) };
            http.Validate();
            Uri? advertised = AddressOf(result.GetValue(advertise));
            _ = NodeMetrics.Provider; // counts from now on
            try
            {
                await using RunningNode running = await starter.Start(result, DefaultDataDirectory(starter.Application), cancellationToken).ConfigureAwait(false);
                await Serve(running, http, advertised, starter.Time, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // Asked to end while it still started: to serve until then was all its task.
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static Uri? AddressOf(string? text) =>
        text is null ? null
        : Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps) ? address
        : throw new InvalidInputException("--advertise", $"--advertise is '{text}'; it must be an address such as http://node-1:8080.");

    // Nobody can be reached at "any address": the machine's name stands for it then.
    private static Uri Reachable(Uri bound) =>
        IPAddress.TryParse(bound.Host.Trim('[', ']'), out IPAddress? address) && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
            ? new UriBuilder(bound) { Host = Dns.GetHostName() }.Uri
            : bound;

    private static async Task Serve(RunningNode running, HttpOptions options, Uri? advertised, TimeProvider time, CancellationToken cancellationToken)
    {
        await using WebApplication web = HttpInterface.Create(running.Node, options, running.Loggers, time);
        try
        {
            await web.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (IOException inUse) when (inUse.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            throw new CommandFailedException($"Port {options.Port} of {options.Host} is in use: give another --http-port, or 0 for a free one.", inUse);
        }

        running.Node.Advertise(advertised ?? Reachable(new Uri(web.Urls.First())));
        ServerAddresses servers = running.Node.Addresses;
        Console.WriteLine($"{running.Node.Application.Name} serves at {web.Urls.First()} (try it: {web.Urls.First()}/docs)");
        Console.WriteLine($"Kafka {servers.Kafka}, Schema Registry {servers.Registry}, MongoDB {Projections.MongoDB.MongoAddress.Redact(servers.MongoDB!)}");
        Console.WriteLine("Ctrl-C ends it.");
        Task stopping = Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
        Task first = await Task.WhenAny(stopping, running.Node.Completion).ConfigureAwait(false);
        await web.StopAsync(CancellationToken.None).ConfigureAwait(false);
        if (first != stopping)
        {
            running.Loggers.CreateLogger("KafkaEventSourcing.Hosting").Stopped(running.Node.Completion.Exception);
            throw new CommandFailedException($"The node has stopped: {running.Node.Completion.Exception?.Flatten().InnerExceptions[0].Message ?? "a part of it ended"}", running.Node.Completion.Exception!);
        }
    }
}
