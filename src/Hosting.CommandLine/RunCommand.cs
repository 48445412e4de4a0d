using System.CommandLine;
using System.Globalization;
using KafkaEventSourcing.Hosting.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary><c>run</c>: a node with its HTTP interface, until Ctrl-C or SIGTERM.</summary>
internal static class RunCommand
{
    private const int DefaultHttpPort = 8080;
    private const double MaxDrain = 3_600;

    public static string DefaultDataDirectory(ApplicationDefinition application) => Path.Combine("data", application.Name);

    public static Command Create(NodeStarter starter)
    {
        var command = new Command("run", "serve commands and queries until Ctrl-C or SIGTERM");
        starter.AddOptions(command);
        Option<int> port = ServerOptions.Named(
            "--http-port", "KES_HTTP_PORT", $"HTTP port (default {DefaultHttpPort}; 0: a free one)",
            v => int.Parse(v, NumberStyles.None, CultureInfo.InvariantCulture), DefaultHttpPort);
        Option<string> host = ServerOptions.Named("--http-host", "KES_HTTP_HOST", "address to listen on (default 127.0.0.1)", v => v,
            "127.0.0.1");
        Option<string?> advertise = ServerOptions.Named<string?>("--advertise", "KES_ADVERTISE",
            "where other nodes reach this one, such as http://node-1:8080 (default: the address it listens on)", v => v);
        Option<double?> drain = ServerOptions.Named<double?>(
            "--drain", "KES_DRAIN",
            "seconds after SIGTERM in which the node still takes requests and is not ready, so that load balancers notice; Ctrl-C, or a "
                + "second SIGTERM, waits for none (default 5)",
            v => double.Parse(v, NumberStyles.Float, CultureInfo.InvariantCulture));
        foreach (Option option in (Option[])[port, host, advertise, drain])
            command.Options.Add(option);
        command.SetAction(async (result, cancellationToken) =>
        {
            var http = new HttpOptions { Host = result.GetValue(host)!, Port = result.GetValue(port) };
            http.Validate();
            Uri? advertised = AddressOf(result.GetValue(advertise));
            if (result.GetValue(drain) is { } seconds and not (>= 0 and <= MaxDrain))
                throw new InvalidInputException("--drain",
                    string.Create(CultureInfo.InvariantCulture, $"--drain is {seconds}; it must be from 0 to {MaxDrain} seconds."));
            var options = new KafkaEventSourcingOptions();
            Configure(options);
            starter.Check(options);
            _ = NodeMetrics.Provider; // counts from now on
            using ILoggerFactory loggers = starter.Options.CreateLog(result);
            await new NodeService(starter, result, http, Configure, loggers).Run(cancellationToken).ConfigureAwait(false);
            return ExitCodes.Done;

            void Configure(KafkaEventSourcingOptions given)
            {
                starter.Configure(given, result, DefaultDataDirectory(starter.Application));
                given.Advertise = advertised ?? given.Advertise;
                given.Drain = result.GetValue(drain) is { } wait ? TimeSpan.FromSeconds(wait) : given.Drain;
            }
        });
        return command;
    }

    private static Uri? AddressOf(string? text) =>
        text is null ? null
        : Uri.TryCreate(text, UriKind.Absolute, out Uri? address)
            && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps)
            && address.Query.Length + address.Fragment.Length + address.UserInfo.Length == 0 ? address
        : throw new InvalidInputException("--advertise",
            $"--advertise is '{text}'; it must be an address such as http://node-1:8080, without a query or a user.");
}
