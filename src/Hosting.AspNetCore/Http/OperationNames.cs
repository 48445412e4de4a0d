using Microsoft.AspNetCore.Builder;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// The names of endpoints, which are the operations of OpenAPI. ASP.NET wants each once in the whole web application: the first part says
/// the kind, so that no command is named as a read is, and where the application is mapped again, below another prefix, there are none.
/// </summary>
internal sealed class OperationNames(bool areTaken)
{
    public RouteHandlerBuilder Command(RouteHandlerBuilder endpoint, string aggregate, string command) =>
        Name(endpoint, $"command.{aggregate}.{command}");

    public RouteHandlerBuilder Read(RouteHandlerBuilder endpoint, string aggregate) => Name(endpoint, $"read.{aggregate}");

    public RouteHandlerBuilder History(RouteHandlerBuilder endpoint, string aggregate) => Name(endpoint, $"history.{aggregate}");

    public RouteHandlerBuilder List(RouteHandlerBuilder endpoint, string readModel) => Name(endpoint, $"list.{readModel}");

    public RouteHandlerBuilder Document(RouteHandlerBuilder endpoint, string readModel) => Name(endpoint, $"document.{readModel}");

    private RouteHandlerBuilder Name(RouteHandlerBuilder endpoint, string name) => areTaken ? endpoint : endpoint.WithName(name);
}
